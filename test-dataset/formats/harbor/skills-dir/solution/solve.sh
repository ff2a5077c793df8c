#!/bin/bash
echo "$ASSAY_TASK_SKILLS_DIR" > /tmp/seen
