"""The fake Tencent Cloud EMR API: its state, its wire and its errors apart; over HTTP or in process."""
