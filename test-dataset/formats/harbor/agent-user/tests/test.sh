#!/bin/bash
if [ "$(cat /logs/agent/who)" = "$(printf "nobody\n/nonexistent")" ] && [ "$(id -u)" = 0 ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
