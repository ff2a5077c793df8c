#!/bin/bash
echo "$ANSWER $KEY" > /tmp/seen
