//! The diagnostic codes of this crate.

use vaisjit_syntax::Code;

macro_rules! codes {
    ($($name:ident = $number:literal;)*) => {
        $(pub(crate) const $name: Code = Code($number);)*
    };
}

codes! {
    UNKNOWN_NAME = 201;
    UNKNOWN_TYPE = 202;
    DUPLICATE = 203;
    UNKNOWN_FIELD = 204;
    UNKNOWN_METHOD = 205;
    UNKNOWN_VARIANT = 206;
    UNKNOWN_TRAIT = 207;
    UNKNOWN_MODULE = 208;
    USED_BEFORE = 209;
    UNKNOWN_ATTRIBUTE = 211;
    UNUSED = 212;
    NOT_A_VALUE = 213;
    UNSUPPORTED = 299;
    MISMATCH = 301;
    OPERANDS = 302;
    CONDITION = 303;
    CAST = 304;
    NO_VALUE = 305;
    NOT_INDEXABLE = 306;
    NOT_POINTER = 307;
    BRANCHES = 308;
    LITERAL_RANGE = 309;
    NOT_PRINTABLE = 310;
    UNDETERMINED = 311;
    NOT_CALLABLE = 312;
    NOT_ITERABLE = 313;
    NOT_A_PLACE = 314;
    TYPE_ARGUMENTS = 315;
    RECURSIVE_TYPE = 316;
    TRY = 317;
    PATTERN = 318;
    ARGUMENT_COUNT = 401;
    PARAMETER_TYPE = 402;
    MISSING_RESULT = 403;
    RECURSIVE_RESULT = 404;
    PRINTF = 405;
    MISSING_FIELD = 406;
    REPEATED_FIELD = 407;
    BOUND = 408;
    TRAIT_IMPL = 409;
    FORMAT_ARGUMENTS = 410;
    NO_BODY = 411;
    OUTSIDE_LOOP = 501;
    OUTSIDE_FUNCTION = 502;
    ASSIGN_CONSTANT = 503;
    NOT_CONSTANT = 504;
    NO_MAIN = 505;
    BAD_MAIN = 506;
    CIRCLE = 507;
    UNREACHABLE = 508;
    NOT_EXHAUSTIVE = 509;
    NO_SELF = 510;
}
