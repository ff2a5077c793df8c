#!/bin/bash
if [ "$(cat /tmp/seen)" = "$(cat /tests/expected.json)" ] && [ "$(cat /tmp/token)" = formats-secret ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
