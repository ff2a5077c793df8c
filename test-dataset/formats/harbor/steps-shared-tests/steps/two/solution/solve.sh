#!/bin/bash
echo two > /logs/artifacts/report.txt
