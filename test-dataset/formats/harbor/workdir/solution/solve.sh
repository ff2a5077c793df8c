#!/bin/bash
pwd > /tmp/seen
