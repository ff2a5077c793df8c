#!/bin/bash
if [ -e /tmp/one ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt
