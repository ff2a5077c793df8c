#!/bin/bash
cat "$ASSAY_MCP_CONFIG" > /tmp/seen; echo "${FORMATS_TOKEN%-value}" > /tmp/token
