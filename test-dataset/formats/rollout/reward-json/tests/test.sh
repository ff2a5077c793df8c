#!/bin/bash
echo 1 > /logs/verifier/reward.txt; echo '{"reward": 0.25, "speed": 3}' > /logs/verifier/reward.json
