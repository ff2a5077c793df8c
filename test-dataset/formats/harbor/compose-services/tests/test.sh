#!/bin/bash
[ "$(cat /tmp/word)" = "the keeper fast 42" ] && echo 1 > /logs/verifier/reward.txt
