#!/bin/bash
if [ "$(cat /logs/agent/who)" = "$(printf "4321\n0")" ] && [ ! -e /etc/owned ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
