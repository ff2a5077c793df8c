#!/bin/bash
if [ -e /tests/kept.txt ] && [ ! -e /tests/drafts ] && [ ! -e /tests/a.tmp ] && [ -e /tests/keep.tmp ] && [ ! -e /tests/.harborignore ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
