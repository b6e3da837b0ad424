"""The recursive-descent parser: tokens to a syntax tree, with Spring's precedences.

From loose to tight: `?:` and `? :`, `or`, `and`, one comparison, `+ -`, `* / %`, one `^`,
signs and `!`, then a value with its path.
"""

from collections.abc import Callable

from grnry.expressions import syntax
from grnry.expressions.budget import MAX_EXPRESSION_LENGTH, MAX_NESTING
from grnry.expressions.errors import ExpressionSyntaxError, Source
from grnry.expressions.literals import number
from grnry.expressions.tokens import Token, Tokenizer

OR, AND, COMPARISON, SUM, PRODUCT = 1, 2, 3, 4, 5
PRECEDENCE = {
    "||": OR,
    "&&": AND,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "matches", "between"), COMPARISON),
    "+": SUM,
    "-": SUM,
    "*": PRODUCT,
    "/": PRODUCT,
    "%": PRODUCT,
}
INFIX_WORDS = {
    "or": "||",
    "and": "&&",
    "matches": "matches",
    "between": "between",
    "instanceof": "instanceof",
}
FORBIDDEN = {
    "=": "an expression can not assign: '=' is not allowed; '==' compares",
    "++": "an expression can not change what it reads: '++' is not allowed",
    "--": "an expression can not change what it reads: '--' is not allowed",
    "@": "beans are not allowed: an expression reads the event only",
    "&": "beans are not allowed: an expression reads the event only ('&&' is the operator)",
}
TYPES = "types are not allowed: an expression reads the event only"
REFLECTION = "reflection is not allowed: '{}' is not a property that an expression may read"
CONSTANTS = {"true": True, "false": False, "null": None}
SELECTIONS = {"?[": "all", "^[": "first", "$[": "last"}


def parse(source: Source) -> syntax.Node:
    if len(source.text) > MAX_EXPRESSION_LENGTH:
        raise source.syntax_error(
            MAX_EXPRESSION_LENGTH,
            f"the expression is longer than {MAX_EXPRESSION_LENGTH:,} characters",
        )
    return _Parser(source).whole()


class _Parser:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._tokens = Tokenizer(source).tokens()
        self._next = 0
        self._depth = 0

    def whole(self) -> syntax.Node:
        node = self._expression()
        if self._peek().kind != "end":
            raise self._unexpected("an operator or the end")
        return node

    # Tokens

    def _peek(self, ahead: int = 0) -> Token:
        return self._tokens[min(self._next + ahead, len(self._tokens) - 1)]

    def _take(self) -> Token:
        token = self._peek()
        self._next += 1
        return token

    def _is(self, *symbols: str) -> bool:
        token = self._peek()
        return token.kind == "symbol" and token.text in symbols

    def _accept(self, symbol: str) -> bool:
        found = self._is(symbol)
        if found:
            self._next += 1
        return found

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            raise self._unexpected(f"'{symbol}'")

    def _unexpected(self, expected: str) -> ExpressionSyntaxError:
        token = self._peek()
        if token.kind == "symbol" and token.text in FORBIDDEN:
            return self._source.syntax_error(token.at, FORBIDDEN[token.text])
        return self._source.syntax_error(token.at, f"unexpected {token.describe()}", expected)

    def _nested(self, rule: Callable[[], syntax.Node]) -> syntax.Node:
        """Parse one level deeper; the only way the tree and the stack grow."""
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise self._source.syntax_error(
                self._peek().at, f"the expression nests deeper than {MAX_NESTING} levels"
            )
        node = rule()
        self._depth -= 1
        return node

    # Operators

    def _expression(self) -> syntax.Node:
        return self._nested(self._choice)

    def _choice(self) -> syntax.Node:
        node = self._operation(OR)
        token = self._peek()
        if self._accept("?:"):
            return syntax.Elvis(token.at, node, self._expression())
        if self._accept("?"):
            then = self._expression()
            self._expect(":")
            return syntax.Ternary(token.at, node, then, self._expression())
        return node

    def _infix(self) -> str:
        token = self._peek()
        if token.kind == "symbol":
            return token.text
        return INFIX_WORDS.get(token.text.lower(), "") if token.kind == "name" else ""

    def _operation(self, loosest: int) -> syntax.Node:
        """Operators that bind at least as tight as `loosest`, grouped by precedence."""
        node = self._power()
        level = PRODUCT
        while level >= loosest:
            rest = []
            while PRECEDENCE.get(self._infix()) == level:
                symbol, at = self._infix(), self._take().at
                operand = self._operation(level + 1) if level < PRODUCT else self._power()
                rest.append((symbol, at, operand))
                if level == COMPARISON:
                    break
            if rest:
                node = syntax.Operation(node.at, node, tuple(rest))
            level -= 1
        if self._infix() == "instanceof":
            raise self._source.syntax_error(self._peek().at, TYPES)
        return node

    def _power(self) -> syntax.Node:
        node = self._unary()
        token = self._peek()
        if self._accept("^"):
            return syntax.Operation(node.at, node, (("^", token.at, self._unary()),))
        return node

    def _unary(self) -> syntax.Node:
        if not self._is("!", "+", "-"):
            return self._path()
        token = self._take()
        return syntax.Unary(token.at, token.text, self._nested(self._unary))

    # Values and their paths

    def _path(self) -> syntax.Node:
        start = self._start()
        steps = []
        while True:
            step = self._step()
            if step is None:
                break
            steps.append(step)
        return syntax.Path(start.at, start, tuple(steps)) if steps else start

    def _step(self) -> syntax.Step | None:
        if self._is("["):
            return self._index(safe=False)
        if not self._is(".", "?."):
            return None
        safe = self._take().text == "?."
        token = self._peek()
        if self._is_word(token):
            return self._member(safe)
        if self._is("["):
            return self._index(safe)
        if self._is("![", "?[", "^[", "$["):
            return self._over_elements(safe)
        if self._is("#"):
            raise self._source.syntax_error(
                token.at,
                "a function can not follow a '.'",
                "a name; write the value as the function's first argument",
            )
        raise self._unexpected("a name, a selection ?[…] or a projection ![…]")

    @staticmethod
    def _is_word(token: Token) -> bool:
        """A name, or an operator's word such as `mod` where a name is due."""
        return token.kind == "name" or (token.kind == "symbol" and token.text != token.written)

    def _member(self, safe: bool) -> syntax.Step:
        token = self._take()
        name = token.written
        if self._is("("):
            return syntax.Method(token.at, safe, name, self._arguments())
        if name == "class":
            raise self._source.syntax_error(token.at, REFLECTION.format(name))
        return syntax.Property(token.at, safe, name)

    def _index(self, safe: bool) -> syntax.Step:
        token = self._take()
        index = self._expression()
        self._expect("]")
        return syntax.Index(token.at, safe, index)

    def _over_elements(self, safe: bool) -> syntax.Step:
        token = self._take()
        body = self._expression()
        self._expect("]")
        if token.text == "![":
            return syntax.Projection(token.at, safe, body)
        which = SELECTIONS[token.text]
        return syntax.Selection(token.at, safe, which, body)  # type: ignore[arg-type]

    def _start(self) -> syntax.Node:
        token = self._peek()
        if token.kind == "string":
            self._take()
            return syntax.Constant(token.at, token.text)
        if token.kind == "number":
            self._take()
            return syntax.Constant(token.at, number(self._source, token))
        if self._accept("("):
            node = self._expression()
            self._expect(")")
            return node
        if self._accept("#"):
            return self._hash(token.at)
        if self._accept("{"):
            return self._braces(token.at)
        return self._name_or_step(token)

    def _name_or_step(self, token: Token) -> syntax.Node:
        if token.kind == "name":
            return self._name(token)
        this = syntax.Variable(token.at, "this")
        if self._is("["):
            return syntax.Path(token.at, this, (self._index(safe=False),))
        if self._is("![", "?[", "^[", "$["):
            return syntax.Path(token.at, this, (self._over_elements(safe=False),))
        raise self._unexpected("a value")

    def _name(self, token: Token) -> syntax.Node:
        following = self._peek(1)
        if token.text == "T" and following.text == "(":
            raise self._source.syntax_error(token.at, f"'T(…)': {TYPES}")
        if token.text.lower() == "new" and following.kind == "name":
            raise self._source.syntax_error(
                token.at, "'new': objects can not be made: an expression reads the event only"
            )
        if token.text.lower() in CONSTANTS:
            self._take()
            return syntax.Constant(token.at, CONSTANTS[token.text.lower()])
        if following.kind == "symbol" and following.text == "(":
            this = syntax.Variable(token.at, "this")
            return syntax.Path(token.at, this, (self._member(safe=False),))
        self._take()
        return syntax.Name(token.at, token.text)

    def _hash(self, at: int) -> syntax.Node:
        if self._peek().kind != "name":
            raise self._unexpected("the name of a function")
        name = self._take().text
        if self._is("("):
            return syntax.Call(at, name, self._arguments())
        return syntax.Variable(at, name)

    def _arguments(self) -> tuple[syntax.Node, ...]:
        self._expect("(")
        arguments: list[syntax.Node] = []
        if self._accept(")"):
            return ()
        while True:
            arguments.append(self._expression())
            if self._accept(")"):
                return tuple(arguments)
            if not self._accept(","):
                raise self._unexpected("',' or ')'")

    def _braces(self, at: int) -> syntax.Node:
        if self._accept("}"):
            return syntax.ListOf(at, ())
        if self._accept(":"):
            self._expect("}")
            return syntax.MapOf(at, ())
        first = self._expression()
        if self._accept(":"):
            return self._map(at, first)
        elements = [first]
        while self._accept(","):
            elements.append(self._expression())
        if not self._accept("}"):
            raise self._unexpected("',' or '}'")
        return syntax.ListOf(at, tuple(elements))

    def _map(self, at: int, key: syntax.Node) -> syntax.Node:
        entries = [(key, self._expression())]
        while self._accept(","):
            key = self._expression()
            self._expect(":")
            entries.append((key, self._expression()))
        if not self._accept("}"):
            raise self._unexpected("',' or '}'")
        return syntax.MapOf(at, tuple(entries))
