#!/bin/bash
echo "$(id -un) $PWD" > /tmp/setup-one
