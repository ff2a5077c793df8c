#!/bin/bash
echo "the key is $KEY"
if [ "$JUDGE/$KEY" = dread/formats-secret-value ] && ! grep -q "^JUDGE=" /logs/agent/env.txt; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
