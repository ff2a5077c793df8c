#!/bin/bash
echo '{"reward": 1, "quality": 0.5}' > /logs/verifier/reward.json
