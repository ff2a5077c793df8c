#!/bin/bash
cat "$ROLLOUT_TASK_INSTRUCTION" > /tmp/seen
