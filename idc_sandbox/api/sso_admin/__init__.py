"""Operations of one service; importing this package registers them."""
