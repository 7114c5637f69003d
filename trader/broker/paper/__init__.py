"""The paper broker: an exchange on this machine that fills approved orders against the market it is shown."""
