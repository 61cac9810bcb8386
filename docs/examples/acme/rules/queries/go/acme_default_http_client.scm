; Calls of the functions of net/http that use its default client. @function is which one.
; contains: net/http
; contains: http.
(call_expression
  function: (selector_expression
    operand: (identifier) @package
    field: (field_identifier) @function)
  (#eq? @package "http")
  (#any-of? @function "Get" "Head" "Post" "PostForm")) @report
