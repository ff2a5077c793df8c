#!/bin/bash
exit 9
