#!/bin/bash
id -un > /logs/agent/who
