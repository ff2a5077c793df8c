#!/bin/bash
if [ "$(cat /tmp/seen)" = /opt/skills ] && [ -z "${ASSAY_TASK_SKILLS_DIR:-}" ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
