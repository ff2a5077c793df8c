#!/bin/bash -u
case $- in *u*) echo 1 > /logs/verifier/reward.txt ;; esac
