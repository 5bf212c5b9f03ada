"""Attribution: how much each training example moved an answer, estimated without training again."""
