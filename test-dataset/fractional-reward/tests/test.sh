#!/bin/bash
right=0
[ "$(cat first.txt 2>/dev/null)" = one ] && right=$((right + 1))
[ "$(cat second.txt 2>/dev/null)" = two ] && right=$((right + 1))
case $right in
  2) reward=1 ;;
  1) reward=0.5 ;;
  *) reward=0 ;;
esac
# reward.txt only loses to reward.json: a reader that takes it reports a reward of -1.
echo -1 > /logs/verifier/reward.txt
echo "{\"reward\": $reward, \"right_files\": $right}" > /logs/verifier/reward.json
