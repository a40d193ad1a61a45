"""What the camera of a shot did, found from points followed through it: parallax, poses, focal length."""
