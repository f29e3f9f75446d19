// The members of a plain struct, one by one, without naming them: whoever adds one need not remember who reads them
// all.
#pragma once

#include <type_traits>

namespace pullback {

namespace fields_detail {

struct AnyField {
  template <class T>
  operator T() const;  // NOLINT: stands for a member of any type
};

template <class T, class... Fields>
constexpr int count() {
  if constexpr (requires { T{Fields{}..., AnyField{}}; })
    return count<T, Fields..., AnyField>();
  else
    return sizeof...(Fields);
}

}  // namespace fields_detail

/// Calls visit(member) for each member of an aggregate of 2 to 7 numbers.
template <class T, class Visit>
void for_each_field(const T& object, const Visit& visit) {
  static_assert(std::is_aggregate_v<T>);
  constexpr int kCount = fields_detail::count<T>();
  const auto visit_all = [&](const auto&... fields) { (visit(fields), ...); };
  if constexpr (kCount == 2) {
    const auto& [a, b] = object;
    visit_all(a, b);
  } else if constexpr (kCount == 3) {
    const auto& [a, b, c] = object;
    visit_all(a, b, c);
  } else if constexpr (kCount == 4) {
    const auto& [a, b, c, d] = object;
    visit_all(a, b, c, d);
  } else if constexpr (kCount == 5) {
    const auto& [a, b, c, d, e] = object;
    visit_all(a, b, c, d, e);
  } else if constexpr (kCount == 6) {
    const auto& [a, b, c, d, e, f] = object;
    visit_all(a, b, c, d, e, f);
  } else {
    static_assert(kCount == 7, "so many members are not provided for");
    const auto& [a, b, c, d, e, f, g] = object;
    visit_all(a, b, c, d, e, f, g);
  }
}

}  // namespace pullback
