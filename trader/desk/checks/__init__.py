"""One small check for every rule of the risk gate: it looks at the Case and answers None or Denied."""
