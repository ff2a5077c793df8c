#!/bin/bash
if [ -e /tmp/second ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
