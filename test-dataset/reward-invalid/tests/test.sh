#!/bin/bash
# Not a finite number, on purpose.
echo NaN > /logs/verifier/reward.txt
