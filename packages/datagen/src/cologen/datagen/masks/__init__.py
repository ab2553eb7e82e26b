"""The three kinds of inpainting mask (section 2.3 of the paper) and the policy that mixes them."""
