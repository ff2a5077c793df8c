#!/bin/bash
if [ "$(cat /tmp/checks)" = 3 ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
