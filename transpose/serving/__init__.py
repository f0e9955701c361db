"""A local HTTP server: predict poses and explain them, from a program or on a page in the browser."""
