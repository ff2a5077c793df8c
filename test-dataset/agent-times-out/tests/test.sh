#!/bin/bash
# Gives 1 for the right file and 0 for anything else.
if [ "$(cat hello.txt 2>/dev/null)" = 'Hello, world!' ]; then
  echo 1 > /logs/verifier/reward.txt
else
  echo 0 > /logs/verifier/reward.txt
fi
