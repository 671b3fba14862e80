using System.Globalization;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using YamlDotNet.RepresentationModel;

namespace Fleet.Client.Rollouts;

/// <summary>Single values of a plan, in both directions.</summary>
internal static class PlanScalars
{
    public static string Text(YamlNode node) =>
        (node as YamlScalarNode)?.Value ?? throw new PlanFormatException(node.Start, "give a single value");

    public static object Value(FieldDescriptor field, YamlNode node)
    {
        string text = Text(node);
        return field.FieldType switch
        {
            FieldType.Double => Number(text),
            FieldType.Int32 => int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int whole) ? whole : null,
            FieldType.Enum => EnumNumber(field.EnumType, text) ?? throw new PlanFormatException(
                node.Start, NearestName.Unknown(field.Name, text, Names(field.EnumType))),
            FieldType.Message => PlanTime.Parse(text),
            _ => throw new NotSupportedException($"{field.FullName} has the type {field.FieldType}"),
        } ?? throw new PlanFormatException(node.Start, $"{field.Name} is '{text}'; give {Wanted(field)}");
    }

    public static string Text(FieldDescriptor field, object value) => (field.FieldType, value) switch
    {
        (FieldType.Enum, _) => NameOf(field.EnumType.FindValueByNumber((int)value)),
        (_, Duration time) => PlanTime.Write(time),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static object? Number(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) ? number : null;

    private static string Wanted(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Double => "a number such as 0.5",
        FieldType.Int32 => "a whole number",
        _ => "a time such as 90s, 10m or 1h30m",
    };

    // ROLL_BACK of INCONCLUSIVE_ROLL_BACK is "roll-back" here. The first value is the one that is not set.
    private static IEnumerable<string> Names(EnumDescriptor type) => type.Values.Skip(1).Select(NameOf);

    private static object? EnumNumber(EnumDescriptor type, string text) => type.Values.Skip(1).FirstOrDefault(value => NameOf(value) == text)?.Number;

    private static string NameOf(EnumValueDescriptor value)
    {
        int prefix = value.EnumDescriptor.Name.Length + value.EnumDescriptor.Name.Count(char.IsAsciiLetterUpper);
        return value.Name[prefix..].ToLowerInvariant().Replace('_', '-');
    }
}
