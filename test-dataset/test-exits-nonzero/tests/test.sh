#!/bin/bash
# A reward that must not count, because the script that wrote it failed.
echo 1 > /logs/verifier/reward.txt
echo 'the verifier broke down' >&2
exit 3
