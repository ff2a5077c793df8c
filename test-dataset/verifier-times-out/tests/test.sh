#!/bin/bash
# A reward that must not count, because the script that wrote it never ends.
echo 1 > /logs/verifier/reward.txt
sleep 600
