#!/bin/bash
id -un > /tmp/setup-two
