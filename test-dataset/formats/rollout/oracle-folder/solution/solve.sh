#!/bin/bash
cp "${0%/*}/answer.txt" /tmp/answer; echo "$0" >> /tmp/answer
