#!/bin/bash
env > /logs/agent/env.txt
