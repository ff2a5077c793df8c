#!/bin/bash
if [ "$(cat /tmp/seen)" = "a \$b/fast/fallback/formats-secret" ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
