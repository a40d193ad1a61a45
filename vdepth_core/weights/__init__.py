"""Where weights lie and how they are read without running anything inside them."""
