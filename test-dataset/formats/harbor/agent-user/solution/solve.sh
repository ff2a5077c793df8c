#!/bin/bash
id -un > /logs/agent/who; echo "$HOME" >> /logs/agent/who; echo said > /dev/stdout
