#!/bin/bash
if [ "$(cat /tmp/answer)" = "$(printf "42\n/oracle/solve.sh")" ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
