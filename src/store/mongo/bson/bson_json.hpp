// JSON as BSON, for others to read; and the BSON of others as JSON.
//
// What BSON or a server before MongoDB 5.0 does not take in a name is replaced by what looks like
// it: "$" at its beginning by U+FF04, "." by U+FF0E, NUL by U+2400. So two names may become one;
// who needs the very text has it beside (`text`, wire_documents.hpp).
//
// Numbers are as the npm driver writes them: int32 where one holds it, else a double where it is
// exact; beyond 2^53 int64, and a double for what no int64 holds.
//
// What JSON has no word for: dates are ISO 8601 text, an ObjectId its hexadecimal digits, a
// Decimal128 its number where JSON keeps it and else its text, binary base64; NaN, Infinity and
// what is no value (code, regular expressions, the least and the greatest key …) are null.
//
// Threads: pure.
#pragma once

#include "base/result.hpp"
#include "store/mongo/bson/bson.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace dyad::mongo {

// `text`: JSON of any kind, as the model keeps it. Errors: storage_damaged where it is no JSON.
Status append_json(Bson& to, std::string_view name, std::string_view text);
// Of an object. Errors: the same; also where it is something else.
Result<Bson> bson_of(std::string_view text);
Bson& append_number(Bson& to, std::string_view name, std::int64_t value);
Bson& append_number(Bson& to, std::string_view name, std::uint64_t value);

// Canonical JSON, within the limits of what may be sent. Errors: too_large; invalid_utf8;
// invalid_field where two members have one name; invalid_json where the bytes are no BSON.
Result<std::string> json_of(BsonView document);
Result<std::string> json_of(const BsonValue& value);

}  // namespace dyad::mongo
