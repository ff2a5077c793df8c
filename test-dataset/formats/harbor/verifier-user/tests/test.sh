#!/bin/bash
if [ "$(cat /logs/agent/who)" = root ] && [ "$(id -un)" = daemon ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
