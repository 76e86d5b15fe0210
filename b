{
  "error": {
    "code": "cli.usage",
    "message": "Option '--output <file>' argument 'b' is invalid. It is given twice.",
    "hint": "`muster host list --help` shows how to call it.",
    "retryable": false
  }
}
