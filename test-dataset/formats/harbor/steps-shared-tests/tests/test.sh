#!/bin/bash
if [ "$ALL$STEP" = "x$(cat /tests/number.txt)" ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
