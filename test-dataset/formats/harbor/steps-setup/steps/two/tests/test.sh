#!/bin/bash
if [ "$(cat /logs/agent/seen)" = second ] && [ "$(cat /tmp/setup-two)" = root ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
